"""The DynamoDB table as a small document store: JSON text by (pk, sk), with conditions on revision, fence and presence."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from slipway.delivery.adapters.aws import aws_errors, is_conditional_failure
from slipway.delivery.adapters.aws import client as aws_client
from slipway.errors import NotFoundError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item. `document` is "" where only attributes are kept."""

    sk: str
    document: str
    revision: int
    fence: int
    attributes: Mapping[str, Any]


class Table:
    """One ledger table. Reads are consistent: a decision on a stale read could move traffic twice."""

    def __init__(self, name: str, region: str, client: DynamoDBClient | None = None) -> None:
        self.name = name
        self._client: DynamoDBClient = client or aws_client("dynamodb", region)

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, or None."""
        with self._errors(f"read {pk} {sk} of the ledger"):
            found = self._client.get_item(TableName=self.name, Key=_key(pk, sk), ConsistentRead=True).get("Item")
        return _item(found) if found else None

    def query(
        self, pk: str, prefix: str = "", *, newest_first: bool = False, limit: int | None = None, having: str = ""
    ) -> Iterator[Item]:
        """Items of a partition whose sort key begins with `prefix`; only those with the attribute `having`."""
        condition, values = "pk = :pk", {":pk": {"S": pk}}
        if prefix:
            condition, values = f"{condition} AND begins_with(sk, :prefix)", values | {":prefix": {"S": prefix}}
        arguments: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
        }
        if having:
            arguments["FilterExpression"] = f"attribute_exists({having})"
        yielded = 0
        while True:
            with self._errors(f"read {pk} of the ledger"):
                page = self._client.query(**arguments)
            for raw in page["Items"]:
                yield _item(raw)
                yielded += 1
                if limit is not None and yielded >= limit:
                    return
            if "LastEvaluatedKey" not in page:
                return
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def put(
        self, pk: str, sk: str, document: str, *, only_new: bool = False, revision: int = 1, fence: int = 0
    ) -> bool:
        """Write an item whole; False when `only_new` and it is there already."""
        item: dict[str, AttributeValueTypeDef] = {
            **_key(pk, sk),
            "document": {"S": document},
            **_numbers(revision=revision, fence=fence),
        }
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"} if only_new else {}
        try:
            with self._errors(f"write {pk} {sk} of the ledger"):
                self._client.put_item(TableName=self.name, Item=item, **condition)
        except _ConditionError:
            return False
        return True

    def update(
        self,
        pk: str,
        sk: str,
        expression: str,
        *,
        condition: str = "",
        values: Mapping[str, str | int] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Item | None:
        """Change an item and answer it as it is then; None when the condition does not hold."""
        arguments: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
        if values:
            arguments["ExpressionAttributeValues"] = {f":{key}": _value(value) for key, value in values.items()}
        if names:
            arguments["ExpressionAttributeNames"] = {f"#{key}": value for key, value in names.items()}
        try:
            with self._errors(f"change {pk} {sk} of the ledger"):
                answer = self._client.update_item(
                    TableName=self.name,
                    Key=_key(pk, sk),
                    UpdateExpression=expression,
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **arguments,
                )
        except _ConditionError as refused:
            # When an answer is lost, boto3 asks again, and our own first write fails the condition.
            return refused.item if values and _is_written(refused.item, values) else None
        return _item(answer.get("Attributes", {}))

    def delete(self, pk: str, sk: str) -> None:
        """Remove an item; none is no error."""
        with self._errors(f"remove {pk} {sk} of the ledger"):
            self._client.delete_item(TableName=self.name, Key=_key(pk, sk))

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return _errors(doing, self.name)


class _ConditionError(Exception):
    """A condition did not hold. `item`: what is there, as far as DynamoDB was asked for it."""

    def __init__(self, item: Item) -> None:
        super().__init__()
        self.item = item


@contextmanager
def _errors(doing: str, table: str) -> Generator[None]:
    with aws_errors(doing):
        try:
            yield
        except ClientError as error:
            if is_conditional_failure(error):
                raise _ConditionError(_item(error.response.get("Item", {}))) from error
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                raise NotFoundError(
                    f"the ledger's table {table} does not exist", remedy="run `slipway bootstrap`"
                ) from error
            raise


def _is_written(item: Item, values: Mapping[str, str | int]) -> bool:
    """Whether the item is what an update with these values leaves: its document, fence and, where it counts them, revision."""
    written = (item.document, item.fence, item.revision)
    return written == (values.get("document"), values.get("fence"), values.get("next", item.revision))


def _key(pk: str, sk: str) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _numbers(**numbers: int) -> dict[str, AttributeValueTypeDef]:
    return {key: {"N": str(value)} for key, value in numbers.items()}


def _value(value: str | int) -> dict[str, str]:
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def _item(raw: Mapping[str, Any]) -> Item:
    return Item(
        sk=raw.get("sk", {}).get("S", ""),
        document=raw.get("document", {}).get("S", ""),
        revision=int(raw.get("revision", {}).get("N", 0)),
        fence=int(raw.get("fence", {}).get("N", 0)),
        attributes=raw,
    )
