#!/bin/sh
# The peers of the benchmarks, unpacked into FOLDER of Debian 12; nothing is installed, so rsyslog and syslog-ng, which
# refuse to stand beside each other, both fit.
#
#     sh benchmarks/peers/fetch.sh FOLDER
#
# rsyslog and syslog-ng come from Debian with the libraries that only they need, aiosyslogd from PyPI with its uvloop.
set -eu
mkdir -p "$1"
cd "$1"
apt-get download rsyslog libestr0 libfastjson4 liblognorm5 \
    syslog-ng-core libglib2.0-0 libivykis0 libjson-c5 libnet1 libpcre3 libwrap0
for package in *.deb; do
    dpkg -x "$package" root
done
python3 -m venv aiosyslogd
aiosyslogd/bin/pip install --quiet --disable-pip-version-check 'aiosyslogd[speed]==1.5.0'
