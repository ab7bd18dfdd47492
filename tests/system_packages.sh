#!/usr/bin/env bash
# Installs what the wire and browser tests need from Debian, where it can; says loudly what is missing where it cannot.
# With names of packages as arguments: those only ("chromium" is all that the demo needs). The voices of the evaluation
# come only where they are named.
set -u
missing=()
need() { # PROGRAMS PACKAGE: any of the programs will do
  [[ -z "$wanted" || " $wanted " == *" $2 "* ]] || return 0
  local program
  for program in $1; do PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null && return 0; done
  missing+=("$2")
}
need_file() { # PATTERN PACKAGE
  [[ -z "$wanted" || " $wanted " == *" $2 "* ]] || return 0
  compgen -G "$1" >/dev/null || missing+=("$2")
}
need_voice() { # FILE PACKAGE
  [[ " $wanted " == *" $2 "* && ! -e "$1" ]] && missing+=("$2")
}
wanted="$*"
need sipp sip-tester
need "chromium chromium-browser google-chrome" chromium
need baresip baresip-core
need kamailio kamailio
need_file "/usr/lib/*/kamailio/modules/tls.so" kamailio-tls-modules
need promtool prometheus
need logrotate logrotate
need systemd-analyze systemd
need_voice /usr/bin/flite flite
need_voice /usr/bin/text2wave festival
need_voice /usr/share/festival/voices/us/cmu_us_slt_arctic_hts festvox-us-slt-hts
need_voice /usr/share/festival/voices/english/ked_diphone festvox-kdlpc16k
[ ${#missing[@]} -eq 0 ] && exit 0
echo "Needed from Debian, and installed now: ${missing[*]}"
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
    [[ " ${missing[*]} " != *" prometheus "* ]] || $as_root systemctl disable -q prometheus.service 2>/dev/null
    exit 0
  fi
fi
echo "COULD NOT INSTALL ${missing[*]}: what needs them will FAIL. Run this as root, then make again:" >&2
echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
exit 0
