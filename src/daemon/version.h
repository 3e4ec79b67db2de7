/* The version, as configure.ac says it. */
#pragma once

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "development"
#endif
#define VERSION_TEXT PACKAGE_VERSION
