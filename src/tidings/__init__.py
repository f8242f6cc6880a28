"""Events that arrive twice, late, out of order or never, and a system that ends in the right state anyway."""

__version__ = "0.1.0"
