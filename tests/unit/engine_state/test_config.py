"""Projects and stack files: read, checked with all faults at once, edited with their comments kept."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from slipway.engine.config import load_stack_config
from slipway.engine.config_edit import StackConfigFile
from slipway.engine.project import Project, load_project
from slipway.engine.secrets import StackSecrets, open_passphrase
from slipway.errors import UsageError
from tests.unit.engine_state.state_kit import ENVIRON
from tests.unit.engine_state.test_secrets import SALT

PROJECT = """
name: shop
runtime:
  name: python
  options: {virtualenv: venv}
main: infra
description: A shop
config:
  size: {type: integer, default: 3}
  zones: {type: array, items: {type: string}, default: [a]}
  grid: {type: array, items: {type: array, items: {type: integer}}}
  flag: {type: boolean}
  tags: {type: object}
  password: {type: string, secret: true}
  short: hello
  aws:region: us-east-1
  aws:profile: {value: dev}
"""
STACK_FILE = """
config:
  shop:grid: [[1], [2, 3]]
  shop:flag: true
  shop:tags: {z: 1, a: [x]}
  shop:password: {secure: "%s"}
"""


def write_project(folder: Path, text: str = PROJECT) -> Project:
    (folder / "Pulumi.yaml").write_text(dedent(text))
    return load_project(folder)


def sealed(text: str) -> str:
    return open_passphrase(SALT, "password").encrypt(text)


def load(folder: Path, stack_file: str, project: str = PROJECT):
    text = dedent(stack_file)
    (folder / "Pulumi.dev.yaml").write_text(f"encryptionsalt: {SALT}\n{text}" if "secure" in text else text)
    return load_stack_config(write_project(folder, project), "dev", StackSecrets(ENVIRON))


def faults_of(folder: Path, stack_file: str, project: str = PROJECT) -> str:
    with pytest.raises(UsageError) as caught:
        load(folder, stack_file, project)
    assert caught.value.where == str(folder / "Pulumi.dev.yaml")
    return str(caught.value)


def test_project_tells_where_its_program_is(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    project = write_project(tmp_path)

    assert (project.name, project.runtime, project.description) == ("shop", "python", "A shop")
    assert project.runtime_options == {"virtualenv": "venv"}
    assert project.entry_point == project.program_directory == tmp_path / "infra"
    assert load_project(tmp_path / "infra") == project


def test_program_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").touch()
    project = write_project(tmp_path, "name: a\nruntime: python\nmain: app/main.py\n")

    assert project.entry_point == tmp_path / "app" / "main.py"
    assert project.program_directory == tmp_path / "app"
    assert write_project(tmp_path, "name: a\nruntime: python\n").program_directory == tmp_path


@pytest.mark.parametrize("key", ["stackConfigDir", "config"])
def test_stack_files_may_lie_in_a_folder(tmp_path: Path, key: str) -> None:
    project = write_project(tmp_path, f"name: a\nruntime: python\n{key}: stacks\n")

    assert project.stack_config_path("dev") == tmp_path / "stacks" / "Pulumi.dev.yaml"


def test_project_tells_plugins_backend_and_options(tmp_path: Path) -> None:
    project = write_project(
        tmp_path,
        """
        name: a
        runtime: python
        backend: {url: "file://~"}
        options: {refresh: always}
        plugins: {providers: [{name: demo, path: plugins/demo}]}
        """,
    )

    assert project.backend_url == "file://~"
    assert project.refresh_always is True
    assert project.provider_paths == {"demo": tmp_path / "plugins" / "demo"}


def test_refuses_a_folder_without_project(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no Pulumi\.yaml project file found"):
        load_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "cannot be read"),
        ("- a", "must hold a mapping"),
        ("runtime: python", "`name` is missing"),
        ("name: a", "`runtime` is missing"),
        ("name: a\nruntime: python\nmain: [1]", "`main` must be text"),
        ("name: a\nruntime: python\nplugins: {providers: [{name: x}]}", "`plugins.providers` must hold"),
        ("name: a\nruntime: python\nconfig: {x: {type: number}}", "config key 'x' has the unknown type 'number'"),
        ("name: a\nruntime: python\nconfig: {x: {type: array}}", "say what of in `items`"),
        (
            "name: a\nruntime: python\nconfig: {x: {type: integer, default: y}}",
            'the default "y" is not of type integer',
        ),
        (
            "name: a\nruntime: python\nconfig: {x: {type: integer, default: true}}",
            "the default true is not of type integer",
        ),
        ("name: a\nruntime: python\nconfig: {x: {default: 1, value: 2}}", "has both `default` and `value`"),
        ("name: a\nruntime: python\nconfig: {aws:x: {type: string}}", "write `value`, no `type`"),
        ("name: a\nruntime: python\nconfig: {aws:x: {description: y}}", "needs a `value`"),
        ("name: a\nruntime: python\nconfig: stacks\nstackConfigDir: stacks", "keep `stackConfigDir` only"),
    ],
)
def test_refuses_a_faulty_project(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        write_project(tmp_path, text)


def test_values_reach_the_program_as_text(tmp_path: Path) -> None:
    config = load(tmp_path, STACK_FILE % sealed("hunter2"))

    assert config.values == {
        "shop:grid": "[[1],[2,3]]",
        "shop:flag": "true",
        "shop:tags": '{"a":["x"],"z":1}',
        "shop:password": "hunter2",
        "shop:size": "3",
        "shop:zones": '["a"]',
        "shop:short": "hello",
        "aws:region": "us-east-1",
        "aws:profile": "dev",
    }
    assert config.secret_keys == {"shop:password"}
    assert "hunter2" not in repr(config)
    assert "hunter2" not in repr(config.recorded)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("5", "5"),
        ('"5"', "5"),
        ("1.50", "1.5"),
        ("yes", "yes"),
        ("True", "true"),
        ("2026-01-02", "2026-01-02"),
        ("null", "null"),
        ("''", ""),
        ("[1, 'a', {b: null}]", '[1,"a",{"b":null}]'),
        ("ä", "ä"),
    ],
)
def test_scalar_is_read_as_pulumi_reads_it(tmp_path: Path, written: str, text: str) -> None:
    config = load(tmp_path, f"config:\n  shop:x: {written}\n", "name: shop\nruntime: python\n")

    assert config.values == {"shop:x": text}


def test_secrets_are_opened_at_any_depth(tmp_path: Path) -> None:
    text = f"config:\n  shop:x:\n    list: [{{secure: '{sealed('deep')}'}}, plain]\n"

    config = load(tmp_path, text, "name: shop\nruntime: python\n")

    assert config.values == {"shop:x": '{"list":["deep","plain"]}'}
    assert config.secret_keys == {"shop:x"}


@pytest.mark.parametrize("key", ["x", "shop:x", "shop:config:x"])
def test_key_is_given_its_namespace(tmp_path: Path, key: str) -> None:
    assert load(tmp_path, f"config: {{'{key}': 1}}\n", "name: shop\nruntime: python\n").values == {"shop:x": "1"}


def test_missing_file_is_an_empty_configuration(tmp_path: Path) -> None:
    project = write_project(tmp_path, "name: shop\nruntime: python\nconfig: {size: 3}\n")

    assert load_stack_config(project, "dev", StackSecrets({})).values == {"shop:size": "3"}


def test_refuses_with_every_fault_by_key_and_remedy(tmp_path: Path) -> None:
    said = faults_of(
        tmp_path,
        f"""
        config:
          shop:size: many
          shop:grid: [[1], [x]]
          shop:tags: 5
          shop:password: open-4711
          shop:zones: [{{secure: "{sealed("x")}"}}]
          a:b:c: 1
        """,
    )

    assert "the stack's configuration has 6 faults" in said
    assert "config: 'a:b:c' is no configuration key" in said
    assert "configuration key 'size' must be of type 'integer', but is many" in said
    assert "configuration key 'grid' must be of type 'array<array<integer>>'" in said
    assert "configuration key 'tags' must be of type 'object', but is 5" in said
    assert "'password' must be encrypted as it's secret → run slipway config set dev password --secret" in said
    assert "Stack 'dev' is missing configuration value 'flag' → run slipway config set dev flag <value>" in said
    assert "open-4711" not in said


def test_missing_secret_is_asked_for_as_one(tmp_path: Path) -> None:
    said = faults_of(
        tmp_path, "config: {}\n", "name: shop\nruntime: python\nconfig: {pw: {type: string, secret: true}}\n"
    )

    assert "slipway config set dev pw --secret" in said


def test_refuses_a_default_of_a_declared_secret_as_the_cli_does(tmp_path: Path) -> None:
    project = "name: shop\nruntime: python\nconfig: {pw: {type: string, secret: true, default: ''}}\n"

    assert "'pw' must be encrypted as it's secret" in faults_of(tmp_path, "config: {}\n", project)


def test_history_keeps_texts_objects_and_ciphertexts(tmp_path: Path) -> None:
    config = load(tmp_path, STACK_FILE % sealed("hunter2"))

    assert config.recorded["shop:flag"] == "true"
    assert config.recorded["shop:size"] == "3"
    assert config.recorded["shop:zones"] == ["a"]
    assert config.recorded["shop:tags"] == {"z": 1, "a": ["x"]}
    assert list(config.recorded["shop:password"]) == ["secure"]


def test_secret_of_a_wrong_type_is_not_shown(tmp_path: Path) -> None:
    project = "name: shop\nruntime: python\nconfig: {pin: {type: integer, secret: true}}\n"

    said = faults_of(tmp_path, f"config: {{'shop:pin': {{secure: '{sealed('four')}'}}}}\n", project)

    assert "must be of type 'integer', but is a secret" in said
    assert "four" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secretsprovider: awskms://x", "secretsprovider: 'awskms://x' is not supported"),
        ("encryptedkey: abc", "encryptedkey: keys of a cloud's key service are not supported"),
        ("environment: [prod]", "environment: Pulumi ESC environments are not supported"),
        ("encryptionsalt: [1]", "encryptionsalt: must be text"),
        ("config: [1]", "config: must be a mapping"),
    ],
)
def test_refuses_what_is_not_supported_by_name(tmp_path: Path, text: str, said: str) -> None:
    assert said in faults_of(tmp_path, text)


def test_refuses_a_secret_without_salt(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config: {{'shop:x': {{secure: '{sealed('x')}'}}}}\n")
    project = write_project(tmp_path, "name: shop\nruntime: python\n")

    with pytest.raises(UsageError, match="no `encryptionsalt` to open it with"):
        load_stack_config(project, "dev", StackSecrets(ENVIRON))


def test_refuses_a_wrong_passphrase_once(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(
        f"encryptionsalt: {SALT}\nconfig: {{'shop:x': {{secure: '{sealed('x')}'}}, 'shop:y': {{secure: '{sealed('y')}'}}}}\n"
    )
    project = write_project(tmp_path, "name: shop\nruntime: python\n")

    with pytest.raises(UsageError, match="incorrect passphrase"):
        load_stack_config(project, "dev", StackSecrets({"PULUMI_CONFIG_PASSPHRASE": "wrong"}))


def test_editing_keeps_comments_order_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(
        "# who owns this\nconfig:\n  shop:b: 'x'  # why x\n\n  # the list\n  shop:a:\n    - 1\n    - \"2\"\n"
    )
    file = StackConfigFile(write_project(tmp_path), "dev", lambda: StackSecrets(ENVIRON))

    file.set("b", "new")
    file.set("aws:region", "eu-west-1")
    assert file.remove("nothing") is False
    file.save()

    assert path.read_text() == (
        "# who owns this\nconfig:\n  shop:b: 'new' # why x\n\n  # the list\n  shop:a:\n    - 1\n    - \"2\"\n"
        "  aws:region: eu-west-1\n"
    )
    assert file.remove("shop:a") is True
    file.save()
    assert "shop:a" not in path.read_text()


def test_secret_is_sealed_and_gives_the_file_its_salt(tmp_path: Path) -> None:
    project = write_project(tmp_path, "name: shop\nruntime: python\n")
    secrets = StackSecrets(ENVIRON)
    secrets.use_state("passphrase", {"salt": SALT})
    file = StackConfigFile(project, "dev", lambda: secrets)

    file.set("plain", 1)
    file.save()
    assert "encryptionsalt" not in file.path.read_text()
    file.set("pw", "hunter2", secret=True)
    file.save()

    text = file.path.read_text()
    assert text.startswith(f"encryptionsalt: {SALT}\nconfig:\n")
    assert "hunter2" not in text
    assert max(len(line) for line in text.splitlines()) < 200
    assert load_stack_config(project, "dev", StackSecrets(ENVIRON)).values == {"shop:plain": "1", "shop:pw": "hunter2"}
    assert file.get("pw").keys() == {"secure"}
    assert file.get("none") is None


def test_refuses_to_set_a_declared_secret_in_plain_text(tmp_path: Path) -> None:
    file = StackConfigFile(write_project(tmp_path), "dev", lambda: StackSecrets(ENVIRON))

    with pytest.raises(UsageError, match="'password' is declared a secret"):
        file.set("password", "x")
    with pytest.raises(UsageError, match="is no configuration key"):
        file.set("a:b:c", "x")


def test_refuses_to_edit_broken_yaml(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config: [")
    with pytest.raises(UsageError, match="cannot be read"):
        StackConfigFile(write_project(tmp_path), "dev", lambda: StackSecrets(ENVIRON))
