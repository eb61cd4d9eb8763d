import pytest
import torch

from train.learn.losses import mapping_loss, pose_loss


def test_a_perfect_prediction_costs_nothing():
    targets = torch.randn(4, 1, 16)
    assert pose_loss(targets[:, 0], targets, 0.01).item() == 0


def test_far_errors_cost_their_absolute_value_less_half_a_delta():
    predicted, targets = torch.zeros(1, 16), torch.full((1, 1, 16), 0.5)
    assert pose_loss(predicted, targets, 0.01).item() == pytest.approx(16 * (0.5 - 0.005), rel=1e-5)


def test_near_errors_cost_half_their_square_over_delta():
    predicted, targets = torch.zeros(1, 16), torch.full((1, 1, 16), 0.004)
    expected = 16 * 0.5 * 0.004**2 / 0.01
    assert pose_loss(predicted, targets, 0.01).item() == pytest.approx(expected, rel=1e-5)


def test_each_image_counts_its_own_nearest_symmetry():
    targets = torch.randn(3, 2, 16)
    predicted = torch.stack([targets[0, 1], targets[1, 0], targets[2, 1]])
    assert pose_loss(predicted, targets, 0.01).item() == 0


def test_mapping_loss_sums_over_features_and_averages_over_pairs():
    mapped = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    synthetic = torch.tensor([[0.0, 0.0], [3.0, 1.0]])
    assert mapping_loss(mapped, synthetic).item() == (5 + 10) / 2
