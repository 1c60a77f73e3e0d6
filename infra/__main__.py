"""Where Pulumi enters. Absolute imports only: this file runs as a script, and a sibling import would load modules twice."""

from infra.program import deploy

deploy()
