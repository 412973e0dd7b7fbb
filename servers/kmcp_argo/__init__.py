"""The Argo Rollouts server: rollouts and experiments as the kubectl plugin shows and steers them, through the API alone."""
