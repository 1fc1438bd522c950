#include "host/daemon/application.h"

int main(int argc, char** argv) {
    sallyport::host::Application application;
    return application.runWith(argc, argv);
}
