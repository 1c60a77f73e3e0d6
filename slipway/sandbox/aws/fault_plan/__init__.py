"""What goes wrong on request: a plan of faults, and its effects on calls of the AWS API while it is on."""
