#!/bin/sh
set -e
pip install react
