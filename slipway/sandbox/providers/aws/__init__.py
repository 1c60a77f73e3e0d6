"""The sandbox's AWS provider; `provider.AwsProvider` is imported from its own module, since it costs a second."""
