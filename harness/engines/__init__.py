"""How quanta are executed."""
