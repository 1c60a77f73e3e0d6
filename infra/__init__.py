"""The Pulumi program: one environment of one service, from network to traffic."""
