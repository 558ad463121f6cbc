"""One HTML file that plays a fit back: no network, no server, nothing to install."""
