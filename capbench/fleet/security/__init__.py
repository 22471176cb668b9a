"""Who may join a fleet: certificates, and the connections that are made with them."""
