"""The classifier of regions against scikit-learn, and its own contract."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from monai_mtl.networks import TissueDiagnosis


def regions(count: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(count) % 4
    features = torch.rand(count, 44) + 0.3 * torch.nn.functional.one_hot(labels, 44)
    features[:, 9] = 0.25  # a pair of tissues that is never seen
    return features, labels


def test_without_hidden_layers_it_is_logistic_regression():
    features, labels = regions()
    net = TissueDiagnosis(hidden=())
    net.fit(features, labels, weight_decay=0.02)
    # scikit-learn sums over the cases and weighs that sum: C = 1 / (cases * weight decay).
    oracle = LogisticRegression(C=1 / (len(labels) * 0.02), tol=1e-8, max_iter=5000)
    scaled = StandardScaler().fit_transform(features)
    expected = torch.from_numpy(oracle.fit(scaled, labels).predict_proba(scaled)).float()
    torch.testing.assert_close(net(features)["cls"].softmax(dim=1), expected, rtol=0, atol=1e-3)


def test_it_learns_and_repeats_itself():
    features, labels = regions()
    results = []
    for _ in range(2):
        torch.manual_seed(0)
        net = TissueDiagnosis()
        final = net.fit(features, labels)
        assert bool((net(features)["cls"].argmax(dim=1) == labels).all())
        results.append((final, net.state_dict()))
    assert results[0][0] == results[1][0] < 0.5
    assert all(torch.equal(results[0][1][name], value) for name, value in results[1][1].items())


def test_the_standardisation_travels_with_the_weights():
    features, labels = regions()
    net, other = TissueDiagnosis(), TissueDiagnosis()
    net.fit(1000 * features, labels)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(1000 * features)["cls"], net(1000 * features)["cls"])
    torch.testing.assert_close(torch.jit.script(net)(features)["cls"], net(features)["cls"])


def test_parameters_equal_the_docstring():
    count = sum(p.numel() for p in TissueDiagnosis().parameters())
    assert f"{count:,} parameters" in TissueDiagnosis.__doc__


@pytest.mark.parametrize("wrong", [{"in_features": 0}, {"cls_classes": 1}, {"hidden": (8, 0)}])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="in_features, hidden >= 1"):
        TissueDiagnosis(**wrong)


def test_features_that_were_not_measured_are_refused():
    features, labels = regions(8)
    features[5, 3] = torch.nan
    with pytest.raises(ValueError, match=r"features of region \[5\] are not finite"):
        TissueDiagnosis().fit(features, labels)
