"""What the machine offers: `facts` reads it, with `mountinfo`, `namespaces` and `resctrl` where needed."""
