#!/bin/bash
# Runs a server so that Ctrl-C stops it, and not the make above it, whose exit code then is the server's.
# On a terminal the server gets a process group of its own, which the terminal interrupts alone; without one the
# server takes this process's place and every signal comes to it directly.
# usage: foreground.sh COMMAND ARGS...
[ -t 0 ] || exec "$@"
set -m
setpriv --pdeathsig TERM "$@"
exit $?
