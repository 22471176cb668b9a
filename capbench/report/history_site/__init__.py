"""Static pages over a history: each figure over commits, with its steps, for GitHub or GitLab Pages."""
