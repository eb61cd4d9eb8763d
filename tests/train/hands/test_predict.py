import numpy as np
import pytest
import torch

from render.errors import InputError
from tests.hand_scenes import hand_depth, random_hand
from tests.small_dataset import cuboids
from train.hand_options import HandCropConfig
from train.hands.crops import HandCrops, HandFrame, hand_frame
from train.hands.predict import predict_joints
from train.learn.batches import Inputs
from train.learn.checkpoint import Checkpoint
from train.learn.methods import train_network
from train.learn.networks import build
from train.learn.targets import HandInfo, ObjectInfo
from train.learn.trainer import Training
from train.options import CropConfig, TrainConfig

CPU = torch.device("cpu")
CROP = HandCropConfig(size=32)
ALL = HandInfo(tuple(range(14)))


def checkpoint_of(net, target=ALL, crop=CROP) -> Checkpoint:
    return Checkpoint(net, "small", crop, target, "real", 1, settings={"steps": 1}, optimizer={})


def net_of(answer: np.ndarray | None = None, with_mapping: bool = False, joints: int = 14):
    """A network with random weights, or one that gives an answer to every image."""
    torch.manual_seed(0)
    net = build("small", 32, with_mapping, outputs=3 * joints, channels=1)
    if answer is not None:
        with torch.no_grad():
            net.predict.weight.zero_()
            net.predict.bias.copy_(torch.from_numpy(answer.ravel()))
    return net.eval()


@pytest.fixture(scope="module")
def frames() -> list[HandFrame]:
    rng = np.random.default_rng(0)
    made = []
    for i in range(5):
        joints = random_hand(rng)
        made.append(hand_frame(i, hand_depth(joints), joints[-1], joints, CROP, small=i == 3))
    return made


def test_the_true_targets_give_back_the_true_joints(frames):
    crops = HandCrops(CROP, ALL)
    for frame in frames:
        net = net_of(crops.targets(frame, crops.plain(frame)))
        (found,) = predict_joints(checkpoint_of(net), [frame], CPU)
        np.testing.assert_allclose(1000 * found, 1000 * frame.joints, atol=1e-4)


def test_an_answer_is_in_half_cubes_of_the_frames_own_cube(frames):
    answer = np.zeros((14, 3))
    answer[4] = [0.1, -0.2, 0.4]
    found = predict_joints(checkpoint_of(net_of(answer)), frames, CPU)
    for frame, joints in zip(frames, found, strict=True):
        half = 0.125 if frame.small else 0.15
        expected = np.tile(frame.center, (14, 1))
        expected[4] += half * answer[4]
        np.testing.assert_allclose(joints, expected, atol=1e-7)


def test_each_frame_is_read_as_if_it_were_alone(frames):
    checkpoint = checkpoint_of(net_of())
    together = predict_joints(checkpoint, frames, CPU, batch=2)
    assert together.shape == (5, 14, 3)
    for frame, joints in zip(frames, together, strict=True):
        np.testing.assert_allclose(predict_joints(checkpoint, [frame], CPU)[0], joints, atol=1e-6)
    assert predict_joints(checkpoint, [], CPU).shape == (0, 14, 3)


def test_real_frames_pass_through_the_mapping(frames):
    net = net_of(with_mapping=True)
    with torch.no_grad():
        net.mapping[1].second.bias.fill_(0.5)
    mapped = predict_joints(checkpoint_of(net), frames, CPU)
    crops = HandCrops(CROP, ALL)
    images = np.stack([crops.image(frame, crops.plain(frame)) for frame in frames])
    with torch.no_grad():
        features = net.map(net.extract(torch.from_numpy(images).permute(0, 3, 1, 2)))
        expected = net.predict(features).numpy().reshape(-1, 14, 3)
    for frame, joints, answer in zip(frames, mapped, expected, strict=True):
        np.testing.assert_allclose(joints, crops.plain(frame).restore(answer), atol=1e-6)


@pytest.mark.parametrize("answer", [-1e9, -30.0, 30.0, 1e9])
def test_whatever_the_network_says_the_joints_are_before_the_camera(frames, answer):
    """And such as a predictions file can hold."""
    found = predict_joints(checkpoint_of(net_of(np.full((14, 3), answer))), frames, CPU)
    assert (found[..., 2] >= 0.05).all() and np.isfinite(found).all()
    assert np.abs(found - np.stack([f.center for f in frames])[:, None]).max() < 0.61


def test_a_network_of_objects_reads_no_hands(frames):
    target = ObjectInfo(2, cuboids()[2].box)
    checkpoint = checkpoint_of(build("small", 32, with_mapping=False), target, CropConfig(size=32))
    with pytest.raises(InputError, match="reads object 2, not the joints of a hand"):
        predict_joints(checkpoint, frames, CPU)


@pytest.mark.parametrize("network", ["small", "paper"])
def test_a_checkpoint_of_hands_gives_back_what_was_saved(tmp_path, frames, network):
    net = build(network, 32, with_mapping=True, outputs=6, channels=1)
    target, crop = HandInfo((13, 2)), HandCropConfig(size=32, cube_mm=310.0)
    saved = Checkpoint(net, network, crop, target, "mapping", 3, {"steps": 3}, {})
    saved.save(tmp_path / "checkpoint.pt")
    found = Checkpoint.load_finished(tmp_path)
    assert found.hand == target and found.crop == crop and found.network == network
    np.testing.assert_array_equal(
        predict_joints(found, frames, CPU), predict_joints(saved, frames, CPU)
    )
    with pytest.raises(InputError, match="reads 2 joints of a hand, not an object's pose"):
        _ = found.object


@pytest.mark.slow
def test_the_objects_trainer_teaches_a_network_to_read_hands(frames, tmp_path):
    """Four hands, each under jitter: read to a third of the error of naming their mean pose."""
    shown = [frame for frame in frames if not frame.small]
    config = TrainConfig(batch=16, lr=2e-3, log_every=100, save_every=100)
    training = Training("real", 120, ALL, config, CROP, 0)
    inputs = Inputs(HandCrops(CROP, ALL), real=shown)
    file = train_network(training, inputs, tmp_path / "run", CPU)

    true = np.stack([frame.joints for frame in shown])
    relative = true - np.stack([frame.center for frame in shown])[:, None]
    guessed = np.linalg.norm(relative - relative.mean(axis=0), axis=-1).mean()
    found = predict_joints(Checkpoint.load_finished(file), shown, CPU)
    assert np.linalg.norm(found - true, axis=-1).mean() < guessed / 3
