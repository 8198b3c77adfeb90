#!/bin/sh
set -e
pip install aider
