"""The S3 server of the tests behaves as S3 where tests rely on it."""

import botocore.session
import pytest
from botocore.exceptions import ClientError


def test_each_test_has_an_empty_bucket(s3):
    assert s3.keys() == []
    s3.client.put_object(Bucket=s3.name, Key="table/part.parquet", Body=b"rows")
    assert s3.keys("table/") == ["table/part.parquet"]


def test_clients_find_address_and_credentials_in_the_environment(s3):
    client = botocore.session.get_session().create_client("s3")
    assert s3.name in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]


def test_a_wrong_secret_is_refused(s3, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        botocore.session.get_session().create_client("s3").list_buckets()


def test_a_conditional_put_does_not_replace_an_object(s3):
    s3.client.put_object(Bucket=s3.name, Key="manifest", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.client.put_object(Bucket=s3.name, Key="manifest", Body=b"second", IfNoneMatch="*")
    assert s3.client.get_object(Bucket=s3.name, Key="manifest")["Body"].read() == b"first"
