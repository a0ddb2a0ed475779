#!/bin/sh
# pytest-in-guest.sh PYTEST_ARG...   -- in the guest, from the shared checkout
#
# Runs pytest on a copy of the checkout: the shared folder answers slowly, and every
# pyrunc opens dozens of its files.  The packages of the virtual environment stay there.
set -e
host=$PWD copy=/var/tmp/checkout
mkdir -p $copy/.venv/bin
tar -cf - --exclude=vm-logs pyrunc tests csrc spec-fixtures build pyproject.toml Makefile README.md \
  .venv/bin/python* .venv/bin/pyrunc | tar -xf - -C $copy
ln -s "$host/.venv/pyvenv.cfg" "$host/.venv/lib" $copy/.venv/
cd $copy
exec .venv/bin/python3 -m pytest -p no:cacheprovider --color=no "$@"
