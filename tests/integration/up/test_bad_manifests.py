"""Bad manifests through the commands: every one is refused with file, line and field, in one go."""

from pathlib import Path

from tests.integration.up.command import Up, queue
from tests.unit.quintet_api.test_validation import BAD, expected

FILES = [word for path in BAD for word in ("-f", str(path))]


def assert_all_told(output: str) -> None:
    assert len(BAD) > 20
    lines = output.splitlines()
    for path in BAD:
        for file, line, field, message in expected(path):
            place = f"{file}:{line}" if line else file
            head = ": ".join(part for part in (place, field) if part) + ": "
            assert any(told.startswith(head) and message in told for told in lines), f"{head}{message}"


def test_up_refuses_them_all(up: Up) -> None:
    assert_all_told(up.refused(*FILES))
    assert not list((up.state / "logs").iterdir())


def test_apply_refuses_them_all(up: Up) -> None:
    up.start()
    assert_all_told(up.quintet("apply", *FILES, code=1))
    assert list(up.get()) == ["BrokerPool/default"]


def test_up_refuses_a_set_that_does_not_hold_together(up: Up, tmp_path: Path) -> None:
    pool = "apiVersion: quintet.dev/v1\nkind: BrokerPool\nmetadata: {name: %s}\n"
    (tmp_path / "a.yaml").write_text("---\n".join([pool % "one", pool % "two", queue("orders", brokerPool="three")]))
    (tmp_path / "b.yaml").write_text(queue("orders").replace("  name:", "  namespace: other\n  name:"))
    (tmp_path / "c.yaml").write_text(
        (pool % "two").replace("}", "}\nspec: {storage: {mode: External, external: {secretRef: {name: s}}}}")
    )
    first = f"{tmp_path}/a.yaml:1"
    assert up.refused("-f", tmp_path / "a.yaml", "-f", tmp_path / "b.yaml").splitlines() == [
        f"{tmp_path}/a.yaml:7: metadata.name: quintet up runs one broker pool, and {first} declares one",
        f"{tmp_path}/a.yaml:13: spec.brokerPool: there is no BrokerPool three",
        f"{tmp_path}/b.yaml:4: metadata.namespace: quintet up runs one namespace, and {first} is in default",
        f"{tmp_path}/b.yaml:6: spec.brokerPool: quintet up runs one broker pool, and {first} declares one",
    ]
    assert up.refused("-f", tmp_path / "c.yaml") == (
        f"{tmp_path}/c.yaml:4: spec.storage.mode: External is not supported by quintet up yet\n"
    )


def test_up_refuses_what_the_broker_does_not_take(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    dead = queue("a", deadLetter={"queue": "gone"})
    mixed = queue("b", ordering="Fifo", deadLetter={"queue": "c"})
    file.write_text("---\n".join([dead, mixed, queue("c")]))
    assert up.refused("-f", file).splitlines() == [
        f"{file}:5: spec.deadLetter.queue: The dead-letter queue gone does not exist.",
        f"{file}:11: spec.deadLetter.queue: c is not Fifo, as this queue is.",
    ]
