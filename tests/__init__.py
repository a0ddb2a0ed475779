"""What the folders of tests share; which folder tests what stands in pyrunc/ARCHITECTURE.md, "Tests".

- `harness`      a runtime, its containers, what it leaves behind; `box_fixtures`: that as fixtures
- `bundle`       a bundle, changed step by step; `base_config`: what it starts from; `rootfs`: its root
- `processes`    waiting with a deadline, reaping
- `terminals`    console sockets and ptys
- `cgroups`      where a container's cgroups are on this host
- `criu`         a criu that works here, or `fake_criu`, which only records
- `documents`    the commands of the documentation
- `restored`     the plugin of `make test-snapshot`
- `conftest`     markers, and the account of skips
"""
