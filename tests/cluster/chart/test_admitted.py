"""The API server takes what Helm makes of the chart, field by field."""

import pytest
import yaml

from tests.cluster.chart.test_rendered import EVERYTHING, rendered
from tests.cluster.kubectl import Kubectl, Refused


@pytest.mark.parametrize("values", [(), (f"--values={EVERYTHING}",)], ids=["defaults", "everything"])
def test_every_manifest_is_taken(system: Kubectl, values: tuple[str, ...]) -> None:
    manifests = yaml.safe_dump_all(rendered(*values, release="second"))
    told = system("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", text=manifests)
    assert "deployment.apps/second-quintet-operator serverside-applied" in told


def test_a_field_that_is_none_would_be_refused(system: Kubectl) -> None:
    manifests = rendered(release="second")
    for manifest in manifests:
        manifest["wrong"] = True
    with pytest.raises(Refused, match="wrong"):
        system(
            *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"),
            text=yaml.safe_dump_all(manifests),
        )
