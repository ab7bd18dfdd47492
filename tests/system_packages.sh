#!/usr/bin/env bash
# Installs what the wire and browser tests need from Debian, where it can; says loudly what is missing where it cannot.
set -u
missing=()
command -v sipp >/dev/null || missing+=(sip-tester)
command -v chromium >/dev/null || missing+=(chromium)
command -v baresip >/dev/null || missing+=(baresip-core)
PATH="$PATH:/usr/sbin" command -v kamailio >/dev/null || missing+=(kamailio)
[ ${#missing[@]} -eq 0 ] && exit 0
echo "Needed for the wire and browser tests: ${missing[*]}"
if command -v apt-get >/dev/null; then
  as_root=""
  [ "$(id -u)" -eq 0 ] || as_root="sudo -n"
  $as_root apt-get update -q >/dev/null 2>&1
  policy=/usr/sbin/policy-rc.d # Debian would start what it installs: Kamailio's service takes port 5060
  if [ ! -e $policy ]; then
    trap '$as_root rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null && $as_root chmod 755 $policy
  fi
  if DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
    [[ " ${missing[*]} " != *" kamailio "* ]] || $as_root systemctl disable -q kamailio.service 2>/dev/null
    exit 0
  fi
fi
echo "COULD NOT INSTALL ${missing[*]}: the tests that need them will FAIL. Install them by hand and run make test again." >&2
exit 0
