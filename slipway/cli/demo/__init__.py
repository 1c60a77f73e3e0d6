"""`slipway demo`: a real service from dev to prod on this machine, told step by step."""
