"""What passes over rows came to, kept on disk: a fit that was stopped goes on from there."""
