"""Stand-ins for what is on the other end of a wire: real servers on loopback."""
