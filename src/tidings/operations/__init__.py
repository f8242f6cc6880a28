"""What operators do to a log and a store. Every operation returns data; none prints, and none needs to be alone."""
