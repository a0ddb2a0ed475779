"""What the machine offers: `facts` reads it, `mountinfo` parses the kernel's list of mounts."""
