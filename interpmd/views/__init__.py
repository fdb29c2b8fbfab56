"""How results look: static pictures and reports that open offline."""
