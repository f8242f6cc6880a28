"""Pure decisions: what a page, a row, an event or a clock says about what is here."""
