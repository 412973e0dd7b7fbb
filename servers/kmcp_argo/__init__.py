"""The Argo Rollouts server: rollouts and experiments through the API alone, as the kubectl plugin shows them."""
