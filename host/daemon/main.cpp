#include <string>
#include <string_view>
#include <vector>

#include "host/daemon/application.h"
#include "host/maintenance/configuration_check.h"
#include "host/maintenance/maintenance.h"

int main(int argc, char** argv) {
    if (argc > 1 && argv[1] == std::string_view("--maintain")) {
        return sallyport::host::maintenance::run(std::vector<std::string>(argv + 2, argv + argc));
    }
    sallyport::host::Application application(sallyport::host::maintenance::checkConfiguration);
    return application.runWith(argc, argv);
}
