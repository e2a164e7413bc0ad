"""What differs between kinds: how an object is observed, and which children and status it has."""
