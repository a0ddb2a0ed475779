#!/bin/sh
# Make a bundle with a busybox root file system and run a container from it.
#   demo.sh PYRUNC BUNDLE
set -eu

pyrunc=$1
bundle=$2
busybox=$(command -v busybox) || {
	echo "demo: busybox is missing (Debian: apt install busybox-static)" >&2
	exit 1
}
run=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "demo: this container needs root; run: su -c 'make demo'" >&2
		exit 1
	}
	run=sudo
fi

if [ ! -e "$bundle/rootfs/bin/busybox" ]; then
	echo "demo: making $bundle with a busybox root file system"
	for directory in bin dev etc proc root sys tmp; do
		mkdir -p "$bundle/rootfs/$directory"
	done
	cp "$busybox" "$bundle/rootfs/bin/busybox"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$bundle/rootfs/bin/$applet"
	done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$bundle/rootfs/etc/passwd"
	echo 'root:x:0:' >"$bundle/rootfs/etc/group"
fi
if [ ! -e "$bundle/config.json" ]; then
	"$pyrunc" spec -b "$bundle"
	python3 - "$bundle/config.json" <<-'END'
		import json, sys

		script = """
		echo "hello from a container: $(hostname), pid $$, uid $(id -u)"
		echo "its processes:"
		ps -o pid,user,comm
		echo "its root directory:"
		ls /
		"""
		with open(sys.argv[1]) as file:
		    config = json.load(file)
		config["process"]["args"] = ["sh", "-c", script.replace("\t", "")]
		config["process"]["terminal"] = False
		with open(sys.argv[1], "w") as file:
		    json.dump(config, file, indent=2)
	END
fi
echo "demo: ${run:+$run }$pyrunc run -b $bundle demo"
$run "$pyrunc" run -b "$bundle" demo
