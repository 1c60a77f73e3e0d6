"""Stand-ins for the providers pulumi-aws and pulumi-docker, which are in no package registry.

The sandbox's daemon serves them, and Pulumi's engine attaches to them (`PULUMI_DEBUG_PROVIDERS`).
`framework` is what all of them share, `services` has AWS's types by service, `aws` and `docker` are the two providers.
"""
