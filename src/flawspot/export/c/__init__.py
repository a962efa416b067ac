"""An artifact as plain C."""
