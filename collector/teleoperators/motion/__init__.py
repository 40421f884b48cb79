"""How a person's wishes become a robot's targets: one mechanism for the pad's sticks and for keys."""
