"""Who may do what: requests of every identity but the owner, judged by IAM's rules."""
