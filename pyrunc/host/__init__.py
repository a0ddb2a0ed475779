"""What the machine offers: `facts` reads it, with `mountinfo` and `namespaces` where those are needed."""
