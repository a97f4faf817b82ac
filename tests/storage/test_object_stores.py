"""Stores of buckets: endpoint, region and keys are those that TensorStore has."""

from io import BytesIO
from urllib.error import HTTPError

import pytest

from dask_blockwise.storage import object_stores
from dask_blockwise.storage.documents import put
from dask_blockwise.storage.object_stores import (
    delete_object,
    find_object,
    list_objects,
    put_object,
    read_object,
    store_of,
)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine of no cloud, and a home without files; buckets lie in Frankfurt."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(object_stores, "_MACHINE", tmp_path)

    def asked(request, timeout):
        raise HTTPError(
            request.full_url, 403, "", {"x-amz-bucket-region": "eu-central-1"}, BytesIO()
        )

    monkeypatch.setattr(object_stores, "urlopen", asked)
    return tmp_path


def config(location, **environ):
    return dict(store_of(location, environ).config)


def test_without_keys_a_bucket_is_asked_anonymously(nowhere):
    assert config("s3://open/a")["region"] == "eu-central-1"
    for location in "s3://open/a", "gs://open/a":
        assert str(config(location)["skip_signature"]).lower() == "true"


def test_an_endpoint_and_keys_are_those_of_the_variables(nowhere):
    found = config(
        "s3://closed/a", AWS_ENDPOINT_URL="http://e", AWS_DEFAULT_REGION="eu", AWS_ACCESS_KEY_ID="k"
    )
    assert (found["endpoint"], found["region"]) == ("http://e", "eu")
    assert "skip_signature" not in found


@pytest.mark.parametrize(("environ", "key"), [({}, "mine"), ({"AWS_PROFILE": "lab"}, "ours")])
def test_keys_of_a_file_are_found(nowhere, environ, key):
    (nowhere / ".aws").mkdir()
    profiles = {"default": "mine", "lab": "ours"}
    (nowhere / ".aws/credentials").write_text(
        "\n".join(
            f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = a%b"
            for name, key in profiles.items()
        )
    )
    found = config("s3://closed/a", **environ)
    assert (found["access_key_id"], found["secret_access_key"]) == (key, "a%b")


def test_a_machine_of_the_cloud_has_keys_of_its_own(nowhere):
    (nowhere / "sys_vendor").write_text("Amazon EC2\n")
    assert "skip_signature" not in config("s3://closed/a")
    assert "skip_signature" in config("gs://open/a")
    (nowhere / "sys_vendor").write_text("Google\n")
    assert "skip_signature" not in config("gs://closed/a", GOOGLE_AUTH_TOKEN_FOR_TESTING="t")


@pytest.mark.parametrize("sign", list(" #%~*?'[]{}+&=;@$!(),:^é"))
def test_names_are_those_of_tensorstore(s3_bucket, sign):
    location = f"{s3_bucket}/signs/a{sign}b"
    put(location, "c/0", b"12")
    (found,) = list_objects(location)
    assert (found.name, found.size) == ("c/0", 2)
    assert find_object(location, "c/0") == found


def test_puts_have_conditions(s3_bucket):
    location = f"{s3_bucket}/puts"
    assert find_object(location, "a") is read_object(location, "a") is None
    first = put_object(location, "a", b"1", None)
    assert put_object(location, "a", b"2", None) is None
    second = put_object(location, "a", b"2", first)
    assert put_object(location, "a", b"3", first) is None
    assert find_object(location, "a").version == second
    assert read_object(location, "a") == b"2"
    for _ in range(2):
        delete_object(location, "a")
    assert put_object(location, "a", b"3", second) is None
    assert list(list_objects(location)) == []


def test_errors_name_the_path(s3_bucket):
    for act in (
        lambda at: list(list_objects(at)),
        lambda at: put_object(at, "x", b"", None),
    ):
        with pytest.raises(OSError, match=r"s3://nowhere/a.* can't be") as raised:
            act("s3://nowhere/a")
        assert "Debug source" not in str(raised.value)
