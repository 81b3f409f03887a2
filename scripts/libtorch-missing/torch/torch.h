// What the C++ half of tch includes when libtorch is not where LIBTORCH says: see .cargo/config.toml.
#error libtorch is not here: run `make setup` in the clone
// A header that is not there ends the compilation, before a page of errors that follow from the first.
#include "run make setup in the clone"
