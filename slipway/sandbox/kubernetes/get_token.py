"""`aws eks get-token` of the sandbox's PATH: the same token as the AWS CLI's, without the second that the AWS CLI takes to start.

Run as a script without site packages. The token is a presigned request, so nothing is asked of AWS for it. Everything but that one
command with credentials from the environment is the AWS CLI's own, which is started instead.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from urllib.parse import quote, urlencode, urlsplit

LIFETIME_SECONDS = 14 * 60  # as the AWS CLI says; EKS takes a token for 15 minutes
OPTIONS = {"--cluster-name", "--region", "--output"}


def main(aws: str, arguments: list[str], environ: dict[str, str]) -> None:
    """Answer, or become the AWS CLI at `aws`."""
    options = plain_options(arguments)
    credentials = [environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")]
    if options is None or not all(credentials) or "AWS_PROFILE" in environ:
        os.execv(aws, [aws, *arguments])  # noqa: S606 - the command that was asked for
    key, secret, endpoint = map(str, credentials)
    region = options.get("--region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    now = time.time()
    url = presign(
        endpoint,
        key=key,
        secret=secret,
        session=environ.get("AWS_SESSION_TOKEN", ""),
        region=region,
        cluster=options["--cluster-name"],
        stamp=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)),
    )
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + LIFETIME_SECONDS))
    token = "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    status = {"expirationTimestamp": expires, "token": token}
    answer = {
        "kind": "ExecCredential",
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "spec": {},
        "status": status,
    }
    sys.stdout.write(json.dumps(answer) + "\n")


def plain_options(arguments: list[str]) -> dict[str, str] | None:
    """The options of the one command that is answered here; None for all others."""
    if arguments[:2] != ["eks", "get-token"]:
        return None
    names, values = arguments[2::2], arguments[3::2]
    options = dict(zip(names, values, strict=False))
    is_plain = len(names) == len(values) == len(options) and options.keys() <= OPTIONS
    return options if is_plain and options.get("--output", "json") == "json" and options.get("--cluster-name") else None


def presign(endpoint: str, *, key: str, secret: str, session: str, region: str, cluster: str, stamp: str) -> str:
    """The URL of a GetCallerIdentity for this cluster, signed (AWS Signature Version 4)."""
    host = urlsplit(endpoint).netloc
    scope = f"{stamp[:8]}/{region}/sts/aws4_request"
    query = {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host;x-k8s-aws-id",
    }
    if session:
        query["X-Amz-Security-Token"] = session
    text = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
    empty = hashlib.sha256(b"").hexdigest()
    canonical = f"GET\n/\n{text}\nhost:{host}\nx-k8s-aws-id:{cluster}\n\nhost;x-k8s-aws-id\n{empty}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signing = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    signature = hmac.new(signing, to_sign.encode(), "sha256").hexdigest()
    return f"{endpoint.rstrip('/')}/?{text}&X-Amz-Signature={signature}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:], dict(os.environ))
