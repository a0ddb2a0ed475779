"""Plans: configuration and facts in, kernel operations out.  Pure: nothing here reads or writes anything."""
