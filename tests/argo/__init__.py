"""The Argo Rollouts server against the real controller."""
