#!/bin/sh
set -e
pip install openhands
