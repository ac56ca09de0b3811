#include <llhttp.c>  /* Debian's node-llhttp, found by the -I flags in Package.swift */
