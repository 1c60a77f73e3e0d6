"""Resource providers for Pulumi's engine: the interface, the server, the wire format, and what the SDKs say about their types."""
